/** Helpers for sockets. */
import { ReasonForFault } from "../fault.ts";
import type { HelperCall } from "../helper-call.ts";
import { SocketStorage } from "../maps/socket-storage.ts";
import { SocketRegion, type SimulatedSocket } from "../context/socket.ts";
import type { HelperTable, SimulatedKernel } from "./helper.ts";
import { mapArgument } from "./maps.ts";

/** `BPF_SK_STORAGE_GET_F_CREATE` */
const CREATE = 1n;

/** The socket of an argument, which points to it or to the context; undefined for a null pointer. */
function socketArgument(call: HelperCall, world: SimulatedKernel, argument: 1 | 2): SimulatedSocket | undefined {
  if (call.isNull(argument)) return undefined;
  const { region } = call.pointer(argument);
  if (region instanceof SocketRegion) return region.socket;
  if (region === world.current?.context) {
    if (world.current.socket === undefined) throw new ReasonForFault("the run has no socket");
    return world.current.socket;
  }
  throw new ReasonForFault(`r${argument} points to ${region.name}, not to a socket or the context`);
}

function storage(call: HelperCall): SocketStorage {
  const map = mapArgument(call);
  if (map instanceof SocketStorage) return map;
  throw new ReasonForFault("the map that r1 points to is not a socket storage");
}

const ENOENT = -2;

export const socketHelpers: HelperTable = {
  bpf_get_socket_cookie: (call, world) => socketArgument(call, world, 1)?.cookie,
  bpf_get_netns_cookie: (call, world) => socketArgument(call, world, 1)?.netnsCookie ?? world.netnsCookie,

  bpf_sk_storage_get(call, world) {
    const map = storage(call);
    const socket = socketArgument(call, world, 2);
    if (socket === undefined) return undefined;
    const there = map.valueOf(socket);
    if (there !== undefined || call.u64(4) !== CREATE) return there;
    return map.create(socket, call.isNull(3) ? undefined : call.bytes(3, map.definition.value.size));
  },

  bpf_sk_storage_delete(call, world) {
    const map = storage(call);
    const socket = socketArgument(call, world, 2);
    return socket !== undefined && map.delete(socket) ? 0 : ENOENT;
  },
};
