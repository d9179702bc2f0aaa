// What the console was told and what went wrong, for the test to read.
window.said = [];
window.wrong = [];
for (const level of ['info', 'warn', 'error']) {
  const original = console[level];
  console[level] = (...words) => {
    said.push(words.join(' '));
    original.apply(console, words);
  };
}
addEventListener('error', (event) => wrong.push(event.message || `not loaded: ${event.target.src}`), true);
addEventListener('unhandledrejection', (event) => wrong.push(String(event.reason)));
addEventListener('securitypolicyviolation', (event) => {
  // The browser itself asks for the icon.
  if (!/favicon/.test(event.blockedURI)) wrong.push(`${event.violatedDirective}: ${event.blockedURI}`);
});
