/** The filter's hash in user space agrees with the programs'. */
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { cgroup, PROCEED, REJECT, decodeValue, encodeValue, ipv4, ipv6, type BuilderOf } from "tsbpf";
import { World } from "tsbpf/sim";
import { ipv4Address, ipv6Address, mappedAddress, type SocketAddress } from "./call.ts";
import { featuresFor } from "./features.ts";
import { mayBeService } from "./find-service.ts";
import { DatagramCall } from "./forward.ts";
import { filterSize, maps4, maps6, serviceFilterShape } from "./maps.ts";
import { defaultOptions } from "./options.ts";
import { filterPlace, filterWords } from "./address-filter.ts";

const test = suite("service filter");

const features = featuresFor(defaultOptions);

function ask(b: BuilderOf<typeof cgroup.connect4>, to: SocketAddress): void {
  b.if(mayBeService(new DatagramCall(b, to, features)), () => b.return(PROCEED));
}

const asIpv4 = cgroup.connect4("as_ipv4", (b, ctx) => {
  ask(b, ipv4Address(ctx));
  return REJECT;
});
const asIpv6 = cgroup.connect6("as_ipv6", (b, ctx) => {
  b.if(
    ctx.userIp6.isV4Mapped(),
    () => ask(b, mappedAddress(ctx)),
    () => ask(b, ipv6Address(ctx)),
  );
  return REJECT;
});

const addressOf = (length: number, text: (bytes: Uint8Array) => string) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map(text);
const address4 = addressOf(4, (bytes) => decodeValue(ipv4, bytes));
const address6 = addressOf(16, (bytes) => decodeValue(ipv6, bytes)).filter((address) => !address.startsWith("::ffff:"));
const port = fc.integer({ min: 0, max: 0xffff });

for (const [name, program, map, address, asked] of [
  ["IPv4", asIpv4, maps4.serviceFilter, address4, (address: string) => ({ userIp4: address })],
  ["IPv4 mapped", asIpv6, maps4.serviceFilter, address4, (address: string) => ({ userIp6: `::ffff:${address}` })],
  ["IPv6", asIpv6, maps6.serviceFilter, address6, (address: string) => ({ userIp6: address })],
] as const) {
  test(`${name}: the program reads the bit that user space sets, and no other`, () => {
    const world = new World();
    const filter = world.map(map);
    fc.assert(
      fc.property(address, port, (address, port) => {
        const { word, bit } = filterPlace({ address, port });
        const finds = () => world.run(program, { ctx: { ...asked(address), userPort: port } }).returned === PROCEED;
        filter.set(word, 1n << BigInt(bit));
        assert.ok(finds());
        filter.set(word, ~(1n << BigInt(bit)) & 0xffff_ffff_ffff_ffffn);
        assert.not(finds());
        filter.set(word, 0n);
      }),
      { numRuns: 200 },
    );
  });
}

test("neighbouring addresses share a bit; other addresses and ports have their own", () => {
  for (const [own, neighbour, others] of [
    ["100.0.0.1", "100.0.0.254", ["100.0.1.1", "100.1.0.1", "101.0.0.1"]],
    ["fd00::1", "fd00::fe", ["fd00::101", "fd00::1:1", "fd00:0:0:1::1", "fe00::1"]],
  ] as const) {
    const place = filterPlace({ address: own, port: 80 });
    assert.equal(filterPlace({ address: neighbour, port: 80 }), place);
    for (const other of [...others.map((address) => ({ address, port: 80 })), { address: own, port: 81 }])
      assert.not.equal(filterPlace(other), place);
  }
});

test("the bits of one network are spread over eight words, and networks over all", () => {
  const places = (of: (i: number) => { address: string; port: number }) =>
    Array.from({ length: 4096 }, (_, i) => filterPlace(of(i)));
  const ports = places((port) => ({ address: "10.96.0.1", port }));
  assert.is(new Set(ports.map(({ word }) => word)).size, 8);
  // Of 512 bits, 4,096 throws leave less than one empty.
  assert.ok(new Set(ports.map(({ word, bit }) => word * 64 + bit)).size > 500);
  for (const of of [
    (i: number) => ({ address: `10.${i & 255}.${i >> 8}.1`, port: 80 }),
    (i: number) => ({ address: decodeValue(ipv6, encodeValue(ipv6, `fd00:0:0:${i.toString(16)}::1`)), port: 80 }),
  ]) {
    const words = new Set(places(of).map(({ word }) => word));
    assert.ok(words.size > filterSize(serviceFilterShape) / 2, `${words.size} words`);
    for (const word of words) assert.ok(word >= 0 && word < filterSize(serviceFilterShape));
  }
});

test("the words of several front ends hold their bits only", () => {
  const frontEnds = [
    { address: "10.96.0.1", port: 443 },
    { address: "10.96.0.10", port: 53 },
    { address: "10.96.0.11", port: 53 },
  ];
  const bits = [...filterWords(frontEnds)].flatMap(([word, value]) =>
    Array.from({ length: 64 }, (_, bit) => bit)
      .filter((bit) => (value >> BigInt(bit)) & 1n)
      .map((bit) => ({ word, bit })),
  );
  assert.equal(bits.length, 2);
  for (const frontEnd of frontEnds)
    assert.ok(
      bits.some(({ word, bit }) => {
        const place = filterPlace(frontEnd);
        return place.word === word && place.bit === bit;
      }),
    );
});

test.run();
