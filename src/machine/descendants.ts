/** Returns `roots` and all their descendants (of media or snapshots), each node before its children. */
export function withDescendants<T extends { readonly children: readonly T[] }>(roots: readonly T[]): T[] {
  const all: T[] = [];
  const pending = [...roots].reverse();
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    all.push(node);
    for (let at = node.children.length - 1; at >= 0; at--) pending.push(node.children[at]!);
  }
  return all;
}
