/** A UUIDv7 (RFC 9562): milliseconds first, so that ids sort by time. Needs no secure context. */
export const uuid7 = (): string =>
  (
    Date.now().toString(16).padStart(12, '0') +
    Array.from(crypto.getRandomValues(new Uint8Array(10)), (byte) => (byte + 256).toString(16).slice(1)).join('')
  ).replace(/(.{8})(.{4}).(.{3}).(.{3})/, '$1-$2-7$3-8$4-');
