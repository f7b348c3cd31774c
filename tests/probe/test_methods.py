from __future__ import annotations

import json

import pytest

from lasso_trio.jsonrpc import methods as registry
from lasso_trio.jsonrpc.methods import DISALLOWED, WEBSOCKET_ONLY
from lasso_trio.probe.answer import Answer, Told, read
from lasso_trio.probe.methods import LEVELS, Support, Trial, judge, lacking, trials


def trial(method: str, support: Support) -> Trial:
    row = registry.known(method)
    assert row is not None
    return Trial(method, row.category, support, 1.0)


def test_a_higher_level_tries_what_a_lower_one_does_and_more() -> None:
    critical, standard, full = ({name for name, _ in trials(level)} for level in LEVELS)
    assert len(critical) == 17
    assert critical < standard < full


def test_nothing_is_tried_that_needs_keys_or_a_subscription_or_answers_with_everything() -> None:
    tried = {name for name, _ in trials("full")}
    assert not tried & (DISALLOWED | WEBSOCKET_ONLY | {"txpool_content"})


def test_all_methods_of_the_registry_with_parameters_have_them_here() -> None:
    bare = {name for name, params in trials("full") if not params}
    assert bare == {
        "eth_blockNumber", "eth_chainId", "eth_gasPrice", "net_version", "web3_clientVersion", "eth_syncing",
        "eth_maxPriorityFeePerGas", "eth_blobBaseFee", "eth_newBlockFilter", "eth_newPendingTransactionFilter",
        "debug_getBadBlocks", "txpool_status",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("code", "message", "support"),
    [
        (-32601, "the method x does not exist/is not available", Support.UNSUPPORTED),
        (-32000, "method is not supported on this plan", Support.UNSUPPORTED),
        (-32602, "invalid argument 0: hex string", Support.SUPPORTED),
        (3, "execution reverted", Support.SUPPORTED),
        (-32000, "transaction not found", Support.SUPPORTED),
        (-32000, "genesis is not traceable", Support.SUPPORTED),
        (-32000, "missing trie node abc", Support.SUPPORTED),
        (-32005, "rate limit exceeded", Support.UNKNOWN),
        (-32603, "whatever this may mean", Support.UNKNOWN),
    ],
)
def test_an_error_says_whether_the_method_is_there(code: int, message: str, support: Support) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": message}}).encode()
    assert judge(read(200, body, {}, 0.0)) is support


def test_results_silences_and_failures() -> None:
    assert judge(Answer(Told.RESULT)) is Support.SUPPORTED
    assert judge(Answer(Told.LARGE)) is Support.SUPPORTED
    assert judge(Answer(Told.TIMEOUT)) is Support.TIMEOUT
    assert judge(Answer(Told.FAILED)) is Support.UNKNOWN


def test_a_category_without_any_method_is_lacking_as_a_whole() -> None:
    tried = [trial(name, Support.UNSUPPORTED) for name in ("trace_block", "trace_call", "eth_getProof")]
    tried.append(trial("eth_call", Support.SUPPORTED))
    assert lacking(tried) == (("trace",), ("eth_getProof",))


def test_a_category_of_which_one_method_works_is_never_left_out() -> None:
    filters = [name for name, _ in trials("full") if (row := registry.known(name)) and row.category == "filters"]
    tried = [trial(n, Support.SUPPORTED if n == "eth_getLogs" else Support.UNSUPPORTED) for n in filters]
    categories, methods = lacking(tried)
    assert categories == ()
    assert set(methods) == set(filters) - {"eth_getLogs"}


def test_what_is_not_known_does_not_condemn_a_category() -> None:
    tried = [trial("trace_block", Support.UNSUPPORTED), trial("trace_call", Support.TIMEOUT)]
    assert lacking(tried) == ((), ("trace_block",))
