declare module '*.css' {
  const text: string;
  export default text;
}

interface Navigator {
  /** Global Privacy Control: the visitor asks every site not to share or sell. */
  globalPrivacyControl?: boolean;
}

interface Window {
  embudo?: import('./host').Embudo;
  /** In all but older browsers; a page may have put one of its own in its place, and an older one. */
  Temporal?: { Now: { timeZoneId?(): string } };
  trustedTypes?: {
    createPolicy(name: string, rules: { createScriptURL(url: string): string }): { createScriptURL(url: string): string };
  };
}
