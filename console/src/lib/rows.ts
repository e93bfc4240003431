/** `j` and `k` go through the rows of a list: the links marked `data-row`. */

import { plainKey } from './keyboard';

export function rowKeys(event: KeyboardEvent): void {
  if (!plainKey(event) || (event.key !== 'j' && event.key !== 'k')) return;
  const rows = [...document.querySelectorAll<HTMLElement>('[data-row]')];
  const at = rows.findIndex((row) => row === document.activeElement);
  const next = event.key === 'j' ? rows[at + 1] : rows[at < 0 ? 0 : at - 1];
  if (next === undefined) return;
  event.preventDefault();
  next.focus();
}
