// The extension as a folder that an editor can load (dist/extension), and the same as a package (dist/berth.vsix).
import {
  cpSync,
  createWriteStream,
  existsSync,
  readFileSync,
  readdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { extname, join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';

/** Beside extension.js: the manifest, the webview, and what lies in extension/ for readers and the editor. */
export function stageExtension(root) {
  const stage = join(root, 'dist', 'extension');
  const source = readManifest(join(root, 'extension'));
  // Everything is in the bundle; the rest of the manifest is the repository's business.
  const left = new Set(['dependencies', 'devDependencies', 'private', 'scripts']);
  const manifest = Object.fromEntries(Object.entries(source).filter(([key]) => !left.has(key)));
  writeFileSync(
    join(stage, 'package.json'),
    `${JSON.stringify({ ...manifest, main: './extension.js' }, null, 2)}\n`,
  );
  for (const name of ['README.md', 'CHANGELOG.md', 'media', 'resources', 'package.nls.json']) {
    copyIfThere(join(root, 'extension', name), join(stage, name));
  }
  copyIfThere(join(root, 'LICENSE'), join(stage, 'LICENSE.txt'));
  copyIfThere(join(root, 'CHANGELOG.md'), join(stage, 'CHANGELOG.md'));
  copyIfThere(join(root, 'dist', 'panel'), join(stage, 'webview'));
}

export async function packExtension(root) {
  const stage = join(root, 'dist', 'extension');
  const manifest = readManifest(stage);
  const files = listFiles(stage);
  const zip = new ZipFile();
  const add = (path, content) => zip.addBuffer(Buffer.from(content), path, { mtime: epoch });
  add('extension.vsixmanifest', vsixManifest(manifest, files));
  add('[Content_Types].xml', contentTypes(files));
  for (const file of files) zip.addFile(join(stage, file), `extension/${file}`, { mtime: epoch });
  zip.end();
  await pipeline(zip.outputStream, createWriteStream(join(root, 'dist', 'berth.vsix')));
}

/** The same sources make the same package. Zip knows no earlier day. */
const epoch = new Date(1980, 0, 1);

const readManifest = (folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));

function copyIfThere(from, to) {
  if (existsSync(from)) cpSync(from, to, { recursive: true });
}

function listFiles(folder) {
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, String(name)))
    .filter((path) => statSync(path).isFile())
    .map((path) => relative(folder, path).replaceAll('\\', '/'))
    .sort();
}

const escape = (text) =>
  String(text ?? '').replace(
    /[&<>"']/g,
    (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' })[c],
  );

function vsixManifest(manifest, files) {
  const properties = {
    'Microsoft.VisualStudio.Code.Engine': manifest.engines.vscode,
    'Microsoft.VisualStudio.Code.ExtensionDependencies': (
      manifest.extensionDependencies ?? []
    ).join(),
    'Microsoft.VisualStudio.Code.ExtensionPack': (manifest.extensionPack ?? []).join(),
    'Microsoft.VisualStudio.Code.ExtensionKind': (manifest.extensionKind ?? ['workspace']).join(),
    'Microsoft.VisualStudio.Code.LocalizedLanguages': '',
    'Microsoft.VisualStudio.Code.ExecutesCode': 'true',
  };
  const assets = {
    'Microsoft.VisualStudio.Code.Manifest': 'package.json',
    'Microsoft.VisualStudio.Services.Content.Details': 'README.md',
    'Microsoft.VisualStudio.Services.Content.Changelog': 'CHANGELOG.md',
    'Microsoft.VisualStudio.Services.Content.License': 'LICENSE.txt',
    'Microsoft.VisualStudio.Services.Icons.Default': manifest.icon,
  };
  const present = Object.entries(assets).filter(([, path]) => path && files.includes(path));
  const has = (path) => files.includes(path);
  return `<?xml version="1.0" encoding="utf-8"?>
<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011" xmlns:d="http://schemas.microsoft.com/developer/vsx-schema-design/2011">
  <Metadata>
    <Identity Language="en-US" Id="${escape(manifest.name)}" Version="${escape(manifest.version)}" Publisher="${escape(manifest.publisher)}" />
    <DisplayName>${escape(manifest.displayName ?? manifest.name)}</DisplayName>
    <Description xml:space="preserve">${escape(manifest.description)}</Description>
    <Tags>${escape((manifest.keywords ?? []).join())}</Tags>
    <Categories>${escape((manifest.categories ?? ['Other']).join())}</Categories>
    <GalleryFlags>Public</GalleryFlags>
    <Properties>
${Object.entries(properties)
  .map(([id, value]) => `      <Property Id="${id}" Value="${escape(value)}" />`)
  .join('\n')}
    </Properties>${has('LICENSE.txt') ? '\n    <License>extension/LICENSE.txt</License>' : ''}${has(manifest.icon) ? `\n    <Icon>extension/${escape(manifest.icon)}</Icon>` : ''}
  </Metadata>
  <Installation>
    <InstallationTarget Id="Microsoft.VisualStudio.Code" />
  </Installation>
  <Dependencies />
  <Assets>
${present
  .map(
    ([type, path]) =>
      `    <Asset Type="${type}" Path="extension/${escape(path)}" Addressable="true" />`,
  )
  .join('\n')}
  </Assets>
</PackageManifest>
`;
}

const types = {
  '.css': 'text/css',
  '.js': 'application/javascript',
  '.json': 'application/json',
  '.md': 'text/markdown',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.ttf': 'font/ttf',
  '.txt': 'text/plain',
};

function contentTypes(files) {
  const extensions = new Set(files.map((file) => extname(file).toLowerCase()).filter(Boolean));
  const defaults = [...extensions, '.vsixmanifest']
    .map((extension) => {
      const type =
        types[extension] ??
        (extension === '.vsixmanifest' ? 'text/xml' : 'application/octet-stream');
      return `<Default Extension="${extension}" ContentType="${type}" />`;
    })
    .join('');
  return `<?xml version="1.0" encoding="utf-8"?>\n<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">${defaults}</Types>\n`;
}
