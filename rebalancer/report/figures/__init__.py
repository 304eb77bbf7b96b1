"""Every figure that people see, each with an id, a value and one text.

An id says what is measured and when: `return@2026-11-02..2026-11-30`, `equity@2026-11-30`,
`execution.decision_bp[KO]@2026-11-20`. Two views that show one id show one value in one text, because both take it from
the functions of this room: pages (`data-figure="id"`), mail, JSON (`figures`), `status`, `performance` and exports.
"""
