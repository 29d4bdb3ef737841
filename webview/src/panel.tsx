import './panel.css';
import { startInEditor } from './hosts/editor.tsx';

/** The chat in a panel of VS Code: one file without chunks, so that a webview needs to allow only that. */
const root = document.getElementById('app');
if (!root) throw new Error('the page has no #app');
startInEditor(root).catch((error: unknown) => {
  root.textContent = `The chat could not be started. ${String(error)}`;
});
