/**
 * Owns the refresh of a page's main part: fetched anew and swapped, so that one view on the server serves both.
 * It waits while nobody looks, while something is selected, and while the keyboard is inside the part.
 */
const main = document.querySelector('main[data-refresh]');
const note = document.querySelector('#refreshed');
const everyMs = Number(main?.dataset.refresh ?? 0) * 1000;

const isInUse = () =>
  document.hidden || main.contains(document.activeElement) || String(document.getSelection() ?? '') !== '';

async function refresh() {
  if (isInUse()) return;
  try {
    const answer = await fetch(location.href, { headers: { accept: 'text/html' } });
    if (answer.redirected) {
      location.reload();
      return;
    }
    const next = new DOMParser().parseFromString(await answer.text(), 'text/html').querySelector('main');
    if (!answer.ok || next === null) throw new Error(String(answer.status));
    if (next.innerHTML !== main.innerHTML) main.innerHTML = next.innerHTML;
    if (note.classList.contains('bad')) note.textContent = `Refreshes every ${everyMs / 1000} seconds.`;
    note.classList.remove('bad');
  } catch {
    if (!note.classList.contains('bad'))
      note.textContent = `The dashboard does not answer; what you see is of ${new Date().toLocaleTimeString()}.`;
    note.classList.add('bad');
  }
}

if (everyMs > 0) setInterval(() => void refresh(), everyMs);
