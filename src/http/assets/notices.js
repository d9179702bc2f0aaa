// What this browser does when a visitor waits: a sound, a notice of the system. Both are chosen by the reader and kept in
// this browser; in quiet hours neither happens unless she chose that, too. `console.js` calls `notices.tell`.
"use strict";

const notices = (() => {
  const KEPT = "embudo.notices";
  const chosen = (() => {
    try {
      return { sound: true, desktop: false, quiet: false, ...JSON.parse(localStorage.getItem(KEPT) ?? "{}") };
    } catch {
      return { sound: true, desktop: false, quiet: false };
    }
  })();

  const keep = () => {
    try {
      localStorage.setItem(KEPT, JSON.stringify(chosen));
    } catch {
      // A browser that keeps nothing forgets the choice with the page.
    }
  };

  /** Two soft tones, once. Browsers allow sound only after the person touched the page; then it stays silent. */
  function ring() {
    try {
      const audio = new AudioContext();
      if (audio.state !== "running") return void audio.close();
      [660, 880].forEach((pitch, index) => {
        const tone = audio.createOscillator();
        const volume = audio.createGain();
        const start = audio.currentTime + index * 0.18;
        tone.frequency.value = pitch;
        volume.gain.setValueAtTime(0.0001, start);
        volume.gain.exponentialRampToValueAtTime(0.12, start + 0.02);
        volume.gain.exponentialRampToValueAtTime(0.0001, start + 0.35);
        tone.connect(volume).connect(audio.destination);
        tone.start(start);
        tone.stop(start + 0.4);
      });
      setTimeout(() => audio.close(), 1000);
    } catch {
      // No sound device: the toast and the count have said it already.
    }
  }

  function show({ title, body, link }) {
    if (!("Notification" in window) || Notification.permission !== "granted") return;
    // One for each conversation, however many tabs are open.
    const shown = new Notification(title, { body, tag: link });
    shown.onclick = () => {
      window.focus();
      if (link.startsWith("/console")) location.href = link;
      shown.close();
    };
  }

  /** Says it aloud, as far as the reader wants that now. */
  function tell(note) {
    if (!note.rings || (note.quiet && !chosen.quiet)) return;
    if (chosen.sound) ring();
    // Whoever looks at the page has seen the line on it.
    if (chosen.desktop && document.visibilityState === "hidden") show(note);
  }

  const dialog = document.getElementById("notices");
  dialog?.querySelectorAll("[data-notice]").forEach((box) => {
    const what = box.dataset.notice;
    const refused = document.getElementById("desktop-refused");
    box.checked = chosen[what] && (what !== "desktop" || Notification?.permission === "granted");
    box.addEventListener("change", async () => {
      chosen[what] = box.checked;
      if (what === "desktop" && box.checked) {
        const answer = "Notification" in window ? await Notification.requestPermission() : "denied";
        chosen.desktop = box.checked = answer === "granted";
        refused.textContent = chosen.desktop ? "" : refused.dataset.text;
      }
      keep();
    });
  });
  document.getElementById("notices-try")?.addEventListener("click", () => {
    if (chosen.sound) ring();
    if (chosen.desktop) show({ title: document.title, body: "", link: location.pathname });
  });

  return { tell };
})();
