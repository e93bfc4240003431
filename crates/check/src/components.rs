//! Groups of nodes that lead to each other, and the order in which groups lead to groups.
//!
//! Source: R. Tarjan, "Depth-First Search and Linear Graph Algorithms", SIAM J. Comput. 1972;
//! with a list in place of recursion, so that a long chain cannot exhaust the stack.

use crate::graph::Graph;

/// The strongly connected components of a graph.
#[derive(Debug)]
pub(crate) struct Components {
    /// The component of each node.
    pub(crate) of: Vec<usize>,
    /// The nodes of each component; a component leads only to components before it.
    pub(crate) members: Vec<Vec<usize>>,
}

const UNSEEN: usize = usize::MAX;

struct Search<'a, 'g> {
    graph: &'g Graph<'a>,
    number: Vec<usize>,
    lowest: Vec<usize>,
    open: Vec<usize>,
    next: usize,
    found: Components,
}

impl Components {
    /// Takes time linear in nodes and edges.
    pub(crate) fn of(graph: &Graph<'_>) -> Self {
        let nodes = graph.len();
        let mut search = Search {
            graph,
            number: vec![UNSEEN; nodes],
            lowest: vec![UNSEEN; nodes],
            open: Vec::new(),
            next: 0,
            found: Self {
                of: vec![UNSEEN; nodes],
                members: Vec::new(),
            },
        };
        for node in 0..nodes {
            if search.number.get(node) == Some(&UNSEEN) {
                search.visit(node);
            }
        }
        search.found
    }
}

impl Search<'_, '_> {
    fn visit(&mut self, root: usize) {
        let mut path = vec![(root, 0_usize)];
        self.enter(root);
        while let Some((node, edge)) = path.last_mut() {
            let (here, this) = (*node, *edge);
            *edge += 1;
            if let Some(edge) = self.graph.from(here).get(this) {
                if read(&self.number, edge.to) == UNSEEN {
                    self.enter(edge.to);
                    path.push((edge.to, 0));
                } else if read(&self.found.of, edge.to) == UNSEEN {
                    self.lower(here, read(&self.number, edge.to));
                }
                continue;
            }
            path.pop();
            if let Some((parent, _)) = path.last() {
                self.lower(*parent, read(&self.lowest, here));
            }
            if read(&self.lowest, here) == read(&self.number, here) {
                self.close(here);
            }
        }
    }

    fn enter(&mut self, node: usize) {
        write(&mut self.number, node, self.next);
        write(&mut self.lowest, node, self.next);
        self.next += 1;
        self.open.push(node);
    }

    fn lower(&mut self, node: usize, to: usize) {
        let lowest = read(&self.lowest, node).min(to);
        write(&mut self.lowest, node, lowest);
    }

    /// All open nodes since `node` are one component.
    fn close(&mut self, node: usize) {
        let mut members = Vec::new();
        while let Some(member) = self.open.pop() {
            write(&mut self.found.of, member, self.found.members.len());
            members.push(member);
            if member == node {
                break;
            }
        }
        members.sort_unstable();
        self.found.members.push(members);
    }
}

fn read(list: &[usize], at: usize) -> usize {
    list.get(at).copied().unwrap_or(UNSEEN)
}

fn write(list: &mut [usize], at: usize, value: usize) {
    if let Some(slot) = list.get_mut(at) {
        *slot = value;
    }
}
