//! Artefacts written from a design: AsyncAPI documents and Mermaid diagrams.
