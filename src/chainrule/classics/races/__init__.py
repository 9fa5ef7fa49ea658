"""Rules of learning raced on one problem: networks side by side, what they spent, and what was measured of them."""
