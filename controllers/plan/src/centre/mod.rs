//! What a centre agent decides: the objects that a grant becomes, and the capacity that nodes add up to.
