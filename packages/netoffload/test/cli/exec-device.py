#!/usr/bin/env python3
"""A device behind a pipe, in another language: fills checksums by start and offset, sums what arrives.

One JSON line per step on stdin, one answer per line on stdout. Faults for tests, by argument:
no-zero (a computed 0 is sent as 0), silent (the tenth step is not answered), wrong (every third sum is off).
"""
import json
import sys


def ones(data, seed=0):
    """Sum of big-endian words with end-around carry."""
    total = seed
    for i, byte in enumerate(data):
        total += byte << 8 if i % 2 == 0 else byte
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def transmit(frame, descriptor, fault):
    start = descriptor["csum_start"]
    field = start + descriptor["csum_offset"]
    check = 0xFFFF - ones(frame[start:])
    if check == 0 and fault != "no-zero":
        check = 0xFFFF
    return frame[:field] + bytes([check >> 8, check & 0xFF]) + frame[field + 2 :]


def main():
    fault = sys.argv[1] if len(sys.argv) > 1 else ""
    for n, line in enumerate(sys.stdin):
        step = json.loads(line)
        frame = bytes.fromhex(step["frame"])
        answer = {"id": step["id"]}
        if fault == "silent" and n == 9:
            continue
        if step["dir"] == "tx":
            answer["frames"] = [transmit(frame, step["descriptor"], fault).hex()]
        else:
            total = ones(frame[14:])
            if fault == "wrong" and n % 3 == 0:
                total ^= 1
            # COMPLETE counts in little-endian words, as the kernel keeps it
            csum = (total & 0xFF) << 8 | total >> 8
            answer["completions"] = [{"frame": step["frame"], "ip_summed": 2, "csum": f"{csum:08x}"}]
        print(json.dumps(answer), flush=True)


main()
