import { element } from './dom.js';
import { followSystemTheme, toggleTheme } from './theme.js';

/** The head of a page: what it is about, in words or as an element, and the switch between light and dark. */
export function addHeader(about: string | HTMLElement): void {
  followSystemTheme();
  document.body.prepend(
    element(
      'header',
      {},
      element('h1', {}, 'dynosim'),
      typeof about === 'string' ? element('p', {}, about) : about,
      element('button', { onclick: toggleTheme, title: 'light or dark' }, 'Light / dark'),
    ),
  );
}
