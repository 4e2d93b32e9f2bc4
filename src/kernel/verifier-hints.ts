/** The verifier's well-known complaints, and what a program has to change. First match counts. */
const hints: readonly (readonly [RegExp, string])[] = [
  [
    /invalid mem access '\w*_or_null'|map_value_or_null|possibly NULL|invalid mem access 'mem_or_null'/i,
    "the pointer may be null here: compare the lookup's result with null, and use it only on the branch where it is not",
  ],
  [
    /invalid (?:indirect )?read from stack|invalid indirect access to stack|uninitialized stack/i,
    "bytes of the stack are read that were never written: set every field, padding included, before the struct is used",
  ],
  [/R\d+ !read_ok/, "the register was never written on this path, or was used up by a call (r1 to r5 are)"],
  [
    /invalid bpf_context access/,
    "this hook may not read or write the context at that offset and size: see which fields its context type has",
  ],
  [
    /BPF_ST stores into R\d+ ctx is not allowed/,
    "this kernel stores no constants in the context: put the number into a register first, and store that",
  ],
  [/dereference of modified ctx ptr/, "the context may be read at fixed offsets only: add no variable to its pointer"],
  [
    /unknown func|invalid func unknown|cannot use helper|helper call is not allowed|program of this type cannot use/i,
    "the helper is not there for this program type and hook, on this kernel, or under this licence",
  ],
  [
    /cannot call GPL-restricted function|from non-GPL compatible/i,
    'the helper asks for a GPL-compatible licence, such as "Dual MIT/GPL"',
  ],
  [
    /should have been in|has unknown scalar value should/,
    "the return value lies outside what this hook allows (most cgroup hooks: 0 or 1; recvmsg and getpeername: 1 only)",
  ],
  [/R0 !read_ok|return value/i, "the program must set its return value on every path"],
  [
    /infinite loop detected|back-edge|loop .* too complex/i,
    "the verifier cannot see the loop end: give it a constant bound, or use the bpf_loop helper",
  ],
  [
    /BPF program is too large|sequence of \d+ jumps is too complex|too many states/i,
    "the verifier gave up after its limit of steps: simplify branches, make loops shorter, or split the program by tail calls or bpf_loop",
  ],
  [
    /combined stack size|stack depth|invalid (?:write to|read from) stack.*off=-(?:5[2-9]\d|[6-9]\d\d)|stack frames are too deep|call stack/i,
    "a frame and those below it share 512 bytes of stack: keep large data in a map, a per-CPU array for example",
  ],
  [
    /invalid access to map value|outside of the allowed memory range|outside of the array range/i,
    "the offset is not bounded by the value's size: check the index, or mask it with a constant, right before the access",
  ],
  [/invalid access to packet/, "compare with data_end before each read of the packet, on the same pointer"],
  [
    /unbounded (?:memory access|min value)|min value is negative|pass 'var & const'/i,
    "the length or index is not bounded: check it against a constant, or mask it, right before",
  ],
  [/misaligned/, "the access is not aligned to its size"],
  [/unreachable insn/, "some instructions are never reached: leave them out"],
  [/jump out of range|last insn is not an exit/, "the program runs past its end: every path must reach exit"],
  [/Unreleased reference/, "what was acquired (a socket, a ring buffer record) must be released on every path"],
  [/R\d+ type=\w+ expected=/, "the helper takes another kind of pointer or number as this argument"],
  [
    /unknown opcode|BPF_ATOMIC|invalid atomic|uses unsupported|uses reserved fields/i,
    "this kernel does not know the instruction: build for an older instruction set (-mcpu level)",
  ],
  [
    /pointer arithmetic|math between|prohibits/i,
    "the verifier allows no such arithmetic on this pointer: add bounded numbers only",
  ],
  [/memlock|locked memory/i, "raise the limit of locked memory (ulimit -l unlimited)"],
];

/** What to do about a reason that the verifier gave, where it is a well-known one. */
export function verifierHint(reason: string): string | undefined {
  return hints.find(([form]) => form.test(reason))?.[1];
}
