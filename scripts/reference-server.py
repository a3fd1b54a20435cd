"""Answers replay requests with the reference: one JSON object a line in, one out. Run by scripts/fuzz.mjs."""

import json
import os
import sys

os.environ.setdefault("DYN_LOG", "off")
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

from dynamo.replay import run_synthetic_trace_replay, run_trace_replay  # noqa: E402
from dynamo.llm import KvRouterConfig  # noqa: E402
from dynamo.mocker import MockEngineArgs  # noqa: E402


def answer(case):
    options = dict(case["options"])
    for name in ("extra_engine_args", "prefill_engine_args", "decode_engine_args"):
        if name in options:
            options[name] = MockEngineArgs.from_json(options[name])
    if "router_config" in options:
        options["router_config"] = KvRouterConfig.from_json(options["router_config"])
    if "trace_file" in case:
        return run_trace_replay(case["trace_file"], **options)
    return run_synthetic_trace_replay(*case["lengths"], **options)


for line in sys.stdin:
    try:
        reply = {"report": answer(json.loads(line))}
    except BaseException as error:  # a panic of the reference is no Exception
        reply = {"error": f"{type(error).__name__}: {error}"}
    answers.write(json.dumps(reply) + "\n")
    answers.flush()
