// Times are written by the server; it learns here where the reader is. The page for logging in has it too, so that the
// first page after it need not be loaded twice.
"use strict";

(() => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const known = document.cookie.split("; ").find((pair) => pair.startsWith("embudo_zone="))?.slice(12);
  if (!zone || known === encodeURIComponent(zone)) return;
  document.cookie = `embudo_zone=${encodeURIComponent(zone)}; path=/console; max-age=31536000; samesite=lax`;
  // She has travelled. What somebody types in a talk is not thrown away for it.
  if (document.querySelector(".rail") && !document.querySelector("#talk")) location.reload();
})();
