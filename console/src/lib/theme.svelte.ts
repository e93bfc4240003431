/** Light, dark, or as the system has it; remembered in this browser. */

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const STORED = 'tidegate.theme';

function remembered(): Theme {
  try {
    const stored = localStorage.getItem(STORED);
    return THEMES.find((theme) => theme === stored) ?? 'system';
  } catch {
    // Storage can be forbidden; the system's theme is right then.
    return 'system';
  }
}

class ThemeChoice {
  chosen = $state<Theme>('system');
  /** Counts changes of the colours in force, so that what is drawn on a canvas is drawn anew. */
  changes = $state(0);

  start(): void {
    this.set(remembered());
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => (this.changes += 1));
  }

  set(theme: Theme): void {
    this.chosen = theme;
    document.documentElement.dataset['theme'] = theme;
    this.changes += 1;
    try {
      localStorage.setItem(STORED, theme);
    } catch {
      // It holds for this visit then.
    }
  }

  /** The next of the three. */
  next(): void {
    this.set(THEMES[(THEMES.indexOf(this.chosen) + 1) % THEMES.length] ?? 'system');
  }
}

export const theme = new ThemeChoice();
