"""Research: the rules of planning at speed, over history. It stands beside trading and is never imported by it.

    compiled       a compiled copy of the numeric core, bit-equal to the interpreted one (extra `fast`)

It imports planning and core. Nothing that trades imports it, and so nothing that trades ever loads a compiler.
"""
