/**
 * What happens to a node that loses a name, from the mount as from the fold: with its last name its content goes, at once
 * or, while somebody still uses it, when it is released. Until then it can be read and written, and nothing of it is logged.
 */
import type { Content } from './content.ts'
import type { Node } from './node.ts'
import type { Tree } from './tree.ts'

/** To be called whenever a name or a use of the node went. */
export function forsake(tree: Tree, content: Content, node: Node): void {
  if (node.nlink > 0) return
  const { body } = node
  if (tree.forgetIfUnused(node)) {
    if (body) content.drop(body, 0)
  } else if (body) content.orphan(body)
}
