"""How the cost curves: products with its second derivatives, eigenvalues, landscapes, and the steps they allow."""
