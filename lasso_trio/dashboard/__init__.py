"""What operators look at: live state, history and explanations of one node, for a browser.

It reads what the other rooms keep anyway and writes nothing back. Calls pay for it only while somebody looks, and then
a bounded amount. Above `server`, which does not know it: the composition root joins them.
"""
