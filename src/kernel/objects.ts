/** Pins: names on a BPF file system that keep maps, programs and links alive. */
import { bpf, cString } from "./bpf.ts";
import { objectAttr } from "./bpf-attr.ts";
import { Fd } from "./fd.ts";
import { addressOf } from "./ffi.ts";

/**
 * Pins an object at a path on a mounted BPF file system (`BPF_OBJ_PIN`). Unlinking the file removes the pin.
 * @throws {BpfError}
 */
export function pinObject(object: Fd, path: string): void {
  const pathname = cString(path);
  bpf("BPF_OBJ_PIN", objectAttr.create({ pathname: addressOf(pathname), bpf_fd: object.number }), `pin ${path}`, [
    pathname,
  ]);
}

/**
 * Opens the object pinned at a path (`BPF_OBJ_GET`).
 * @throws {BpfError} ENOENT if nothing is pinned there
 * @example
 * ```ts
 * import { array, openMap, u64 } from "tsbpf";
 * import { openPinned } from "tsbpf/kernel";
 *
 * const calls = array("calls", { value: u64, maxEntries: 1 });
 * using map = openMap(calls, openPinned("/sys/fs/bpf/calls"));
 * ```
 */
export function openPinned(path: string): Fd {
  const pathname = cString(path);
  return new Fd(bpf("BPF_OBJ_GET", objectAttr.create({ pathname: addressOf(pathname) }), `pin ${path}`, [pathname]));
}
