from chainrule.transform import compile, grad, stop_gradient, value_and_grad
