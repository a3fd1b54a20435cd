"""Answers replay requests with the reference: one JSON object a line in, one out. Run by scripts/fuzz.mjs.

Releases since 1.6 describe engines in another shape; those of 1.4.2 are brought into it.
"""

import json
import os
import sys

os.environ.setdefault("DYN_LOG", "off")
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

from dynamo.replay import run_synthetic_trace_replay, run_trace_replay  # noqa: E402
from dynamo.llm import KvRouterConfig  # noqa: E402

try:
    from dynamo.mocker import MockEngineArgs
except ImportError:
    MockEngineArgs = None

# What of the arguments of an engine is elsewhere since 1.6.
OUTSIDE = {"dp_size": "dp_size", "aic_tp_size": "tensor_parallel_size", "startup_time": "startup_time"}
GONE = ("g1_backend", "num_g2_blocks", "num_g3_blocks", "enable_g4_storage", "offload_batch_size")


def current_engine(flat):
    engine, outside = {}, {}
    for name, value in flat.items():
        if name in OUTSIDE:
            outside[OUTSIDE[name]] = value
        elif name == "engine_type":
            engine["backend"] = value
        elif name == "planner_profile_data":
            config = {"type": "external", "provider": "dynamo_profile", "config": {"path": value}}
            engine["timing_model"] = config
        elif name == "router_queue_policy":
            outside["dynamo"] = {name: value}
        elif name == "sglang":
            named = {key: inner for key, inner in value.items() if inner is not None}
            if named.get("schedule_policy") not in (None, "lpm"):
                named["schedule_policy"] = "fifo"
            engine["sglang"] = named
        elif name not in GONE:
            engine[name] = value
    return {"engine": engine, **outside}


def answer(case):
    options = dict(case["options"])
    for name in ("extra_engine_args", "prefill_engine_args", "decode_engine_args"):
        if name in options:
            text = options[name]
            options[name] = MockEngineArgs.from_json(text) if MockEngineArgs else current_engine(json.loads(text))
    if "router_config" in options:
        options["router_config"] = KvRouterConfig.from_json(options["router_config"])
    if "trace_file" in case:
        report = run_trace_replay(case["trace_file"], **options)
    else:
        report = run_synthetic_trace_replay(*case["lengths"], **options)
    return report if isinstance(report, dict) else report.summary


for line in sys.stdin:
    try:
        reply = {"report": answer(json.loads(line))}
    except BaseException as error:  # a panic of the reference is no Exception
        reply = {"error": f"{type(error).__name__}: {error}"}
    answers.write(json.dumps(reply) + "\n")
    answers.flush()
