import './app.css';
import { startInBrowser } from './dashboard/start.tsx';

/** The dashboard in a browser. The editor's panel has an entry of its own, `panel.tsx`, which knows nothing of it. */
const root = document.getElementById('app');
if (!root) throw new Error('the page has no #app');
await startInBrowser(root);
