// Fetches the neighbours of e.js, once, when they are needed.

import { doc, home, nonce, say } from './config';

const loads: Record<string, Promise<unknown> | null> = {};
// Under Trusted Types an address is only believed when it comes from a named policy.
const rules = { createScriptURL: (url: string) => url };
let policy: typeof rules;

export const load = (name: string, then?: () => unknown) => {
  loads[name] =
    loads[name] ||
    new Promise((done, failed) => {
      const script = doc.createElement('script');
      policy = policy || window.trustedTypes?.createPolicy('embudo', rules) || rules;
      script.src = policy.createScriptURL(home + name + '.js');
      script.nonce = nonce;
      script.onload = done;
      script.onerror = failed;
      doc.head.append(script);
    });
  loads[name]!.then(then).catch((why) => {
    loads[name] = null;
    say(name + '.js: ' + why);
  });
};
