"""`lasso backup` and `lasso restore`: profiles as one archive that can be checked before it is trusted."""
