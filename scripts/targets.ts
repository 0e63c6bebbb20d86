/** The machines that executables are made for. */

/** As `deno compile --target` names them. */
export const targets = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
  "x86_64-pc-windows-msvc",
] as const;
export type Target = typeof targets[number];

/** The npm package that holds the runtime for a target; null where its executable would need a shell. */
export const runtimePackages: Readonly<Record<Target, string | null>> = {
  "x86_64-unknown-linux-gnu": "@deno/linux-x64-glibc",
  "aarch64-unknown-linux-gnu": "@deno/linux-arm64-glibc",
  "x86_64-apple-darwin": "@deno/darwin-x64",
  "aarch64-apple-darwin": "@deno/darwin-arm64",
  "x86_64-pc-windows-msvc": null,
};

/** The target of a machine. */
export function targetOf(build: { arch: string; os: string }): string {
  const systems: Record<string, string> = {
    linux: "unknown-linux-gnu",
    darwin: "apple-darwin",
    windows: "pc-windows-msvc",
  };
  return `${build.arch}-${systems[build.os] ?? build.os}`;
}
