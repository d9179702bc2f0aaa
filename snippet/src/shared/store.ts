// The browser's own stores. They may be forbidden or full: then nothing is remembered and nothing breaks.

/** Hits that wait live as long as the tab; everything else is for the next visit. */
const store = (key: string) => (key == 'hits' ? sessionStorage : localStorage);

export function read(key: string): string | undefined {
  try {
    return store(key)['embudo.' + key];
  } catch {
    return;
  }
}

/** An empty text or nothing removes the key. */
export function write(key: string, value?: string | null): void {
  try {
    if (value) store(key)['embudo.' + key] = value;
    else delete store(key)['embudo.' + key];
  } catch {
    // A full or forbidden store is not the page's problem.
  }
}
