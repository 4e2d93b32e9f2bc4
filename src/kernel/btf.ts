import { tryBpf } from "./bpf.ts";
import { btfLoadAttr } from "./bpf-attr.ts";
import { BpfError } from "./bpf-error.ts";
import { Fd } from "./fd.ts";
import { addressOf } from "./ffi.ts";

const LOG_SIZE = 256 * 1024;

/**
 * Loads BTF into the kernel (`BPF_BTF_LOAD`, Linux 4.18).
 * @param subject names the BTF in the error
 * @throws {BpfError} with the last line of the kernel's log as its reason
 */
export function loadBtf(btf: Uint8Array, subject = "BTF"): Fd {
  const attr = btfLoadAttr.create({ btf: addressOf(btf), btf_size: btf.byteLength });
  const first = tryBpf("BPF_BTF_LOAD", attr, [btf]);
  if (first.result >= 0) return new Fd(first.result);
  const log = Buffer.alloc(LOG_SIZE);
  attr.btf_log_buf = addressOf(log);
  attr.btf_log_size = log.byteLength;
  attr.btf_log_level = 1;
  const second = tryBpf("BPF_BTF_LOAD", attr, [btf, log]);
  if (second.result >= 0) return new Fd(second.result);
  const reason = log
    .toString("utf8", 0, Math.max(log.indexOf(0), 0))
    .trim()
    .split("\n")
    .at(-1);
  throw new BpfError("BPF_BTF_LOAD", subject, first.errno, reason ? { reason } : {});
}
