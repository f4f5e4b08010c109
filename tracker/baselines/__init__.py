"""Simple rules that tell stages, to compare the filter with. Each is a pure step from what an
asset's observations have come to, in the order of their arrival, and one more, to what they come
to then; its `told` is the stage that the rule tells."""
