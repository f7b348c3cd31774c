"""`lasso check`: the production checklist as a command. Each row says whether it holds, why, and what to do.

Facts are gathered at the edge, by `stages`; what they mean is judged by pure functions, a room for each family of rows.
"""
