// Brings what happens meanwhile into a page that watches. Without this file the page is as it was made, and has a link to reload.
"use strict";

const place = document.querySelector("[data-watch]");
const watching = document.getElementById("watching");

if (place !== null) {
  const source = new EventSource(place.dataset.watch);
  source.addEventListener("message", (event) => {
    // Whoever is in the middle of it with the keyboard or a selection is not disturbed.
    const selected = getSelection();
    const busy = place.contains(document.activeElement) || (selected.type === "Range" && place.contains(selected.anchorNode));
    if (!busy) place.innerHTML = event.data;
    watching.textContent = busy ? "Paused while you are in it." : "Live: changes by itself every two seconds.";
  });
  source.addEventListener("error", () => {
    watching.textContent = source.readyState === EventSource.CLOSED ? "Not live any more: reload." : "Trying to be live again…";
  });
}
