export function pythonPackagesAreIn(folder: string): boolean;
export function ensurePythonPackages(options: {
  folder: string;
  packages: readonly string[];
  python: readonly [atLeast: number, below: number];
  begins: () => void;
}): string | null;
