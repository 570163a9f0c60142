// Shows a TPP how it stands, with its own token. The token stays in this page's memory and goes to this bank alone.
"use strict";

const form = document.getElementById("status-form");
const result = document.getElementById("status-result");

form.hidden = false;
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const token = form.elements.token.value.trim();
  const headers = { authorization: `Bearer ${token}`, accept: "text/html" };
  try {
    // With credentials: the client certificate that the token is bound to.
    const response = await fetch(location.pathname, { headers, credentials: "same-origin", cache: "no-store" });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const main = page.getElementById("status") ?? page.getElementById("refused");
    if (main?.id === "status") document.querySelector("main > #refused")?.remove();
    result.replaceChildren(main ?? `The bank answered ${response.status}.`);
  } catch (error) {
    result.replaceChildren(`The bank could not be asked: ${error.message}.`);
  }
});
