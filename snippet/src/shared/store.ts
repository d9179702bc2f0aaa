// The browser's own stores. They may be forbidden or full: then nothing is remembered and nothing breaks.

/** `tab`: what lives only as long as this tab. */
const store = (tab?: boolean | number) => (tab ? sessionStorage : localStorage);

export function read(key: string, tab?: boolean | number): string | undefined {
  try {
    return store(tab)['embudo.' + key];
  } catch {
    return;
  }
}

/** An empty text or null removes the key. */
export function write(key: string, value: string | null, tab?: boolean | number): void {
  try {
    if (value) store(tab)['embudo.' + key] = value;
    else delete store(tab)['embudo.' + key];
  } catch {
    // A full or forbidden store is not the page's problem.
  }
}
