/** `bpf_trace_printk`: the simulated kernel collects its lines. */
import type { HelperCall } from "../helper-call.ts";
import { Errno } from "../maps/errors.ts";
import type { HelperTable } from "./helper.ts";

const conversion = /%(?:%|p|(l{0,2})([diuxXsc]))/g;

export const traceHelpers: HelperTable = {
  bpf_trace_printk(call, world) {
    const format = text(call.bytes(1, call.u32(2)));
    if (format.replaceAll(conversion, "").includes("%")) return -Errno.EINVAL;
    let next = 3;
    const line = format.replaceAll(conversion, (whole, long: string | undefined, kind: string | undefined) => {
      if (whole === "%%") return "%";
      // The kernel refuses more arguments than the three remaining registers.
      const argument = Math.min(next++, 5) as 3 | 4 | 5;
      return convert(call, argument, long === "" ? 32 : 64, kind ?? "p");
    });
    world.trace.push(line.replace(/\n$/, ""));
    return line.length;
  },
};

function convert(call: HelperCall, argument: 3 | 4 | 5, bits: 32 | 64, kind: string): string {
  switch (kind) {
    case "s":
      return stringAt(call, argument);
    case "c":
      return String.fromCharCode(call.u32(argument) & 0xff);
    case "d":
    case "i":
      return String(BigInt.asIntN(bits, call.u64(argument)));
    default: {
      const number = BigInt.asUintN(bits, call.u64(argument));
      if (kind === "p") return number.toString(16).padStart(16, "0");
      if (kind === "u") return String(number);
      return kind === "X" ? number.toString(16).toUpperCase() : number.toString(16);
    }
  }
}

/** The text up to its terminating zero, like the kernel. */
function stringAt(call: HelperCall, argument: 3 | 4 | 5): string {
  const { region, offset } = call.pointer(argument);
  return text(region.bytes.subarray(Math.max(0, offset)));
}

function text(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}
