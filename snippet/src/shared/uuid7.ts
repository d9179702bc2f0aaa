/** A UUIDv7 (RFC 9562): milliseconds first, so that ids sort by time. Needs no secure context. */
export const uuid7 = (): string =>
  // Eleven digits of milliseconds last until the year 2527. Each 0 of what follows becomes a random digit.
  ('0' + Date.now().toString(16)).replace(/.{8}/, '$&-') +
  '-7000-8000-000000000000'.replace(/0/g, () => (crypto.getRandomValues(new Uint8Array(1))[0]! & 15).toString(16));
