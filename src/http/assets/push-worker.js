// The console's service worker: shows notices that come by the browser's push service while no page of the console is in
// view, and leads to the page that they are about. It keeps nothing and answers no request.
"use strict";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("push", (event) => event.waitUntil(show(event.data)));

async function show(data) {
  let told = {};
  try {
    told = data?.json() ?? {};
  } catch {
    // Whatever it was, the browser wants something to be shown.
  }
  const link = inside(told.link);
  const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  // Whoever looks at the console has the line before her eyes. A trial is shown in any case.
  const isSeen = pages.some((page) => isConsole(page.url) && page.visibilityState === "visible");
  if (isSeen && link !== "/console/notifications") return;
  await self.registration.showNotification(told.title || "Embudo", {
    body: told.body || "",
    // The same as a page shows it under, so that it stands there once.
    tag: link,
    renotify: true,
    icon: "/assets/favicon.svg",
    timestamp: told.at,
    data: { link },
  });
}

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(inside(event.notification.data?.link)));
});

async function open(link) {
  const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const page = pages.find((page) => isConsole(page.url));
  if (!page) return self.clients.openWindow(link);
  await page.focus();
  // A page that the worker does not control yet cannot be led elsewhere.
  return page.navigate(link).catch(() => self.clients.openWindow(link));
}

function isConsole(url) {
  return inside(new URL(url).pathname) === new URL(url).pathname;
}

/** A page of the console; nobody is sent elsewhere. */
function inside(link) {
  return /^\/console(?:[/?].*)?$/.test(link ?? "") && !link.includes("//") ? link : "/console";
}
