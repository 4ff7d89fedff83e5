// Says how the service is. Knows only the health route, beside the page on the same origin.

const EVERY_MS = 15_000;

const line = document.getElementById("health");

function show(state, words) {
  line.closest(".health").dataset.state = state;
  // A live region is read out at each change, so an unchanged answer stays untouched.
  if (line.textContent !== words) line.textContent = words;
}

async function ask() {
  try {
    const answer = await fetch("v1/health", { cache: "no-store", signal: AbortSignal.timeout(10_000) });
    const health = await answer.json();
    if (!answer.ok) throw new Error(health.title);
    const version = health.version ? `, version ${health.version}` : "";
    show(health.status === "ok" ? "good" : "bad", `The service is ${health.status}${version}.`);
  } catch {
    show("bad", "The service does not answer.");
  }
}

ask();
setInterval(() => document.hidden || ask(), EVERY_MS);
