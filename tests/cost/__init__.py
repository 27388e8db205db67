# SPDX-License-Identifier: MIT
"""What the tag's machine code costs: exact instruction counts, traces, bytes.

firmware_import  firmware modules with their viper functions run as machine code
mpy              the .mpy container and the compiler
machine          what both processors share: calls, buffers, counting, checking, tracing
riscv, xtensa    the processors (unicorn; a translator of our own)
signing          what is counted, limits  the table it is held against
traces           one program for all secrets?
size             `make size`
`python -m tests.cost` prints the counts; docs/signing-cost.md says what they mean.
"""
