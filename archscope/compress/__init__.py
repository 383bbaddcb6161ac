"""Networks made smaller: channels removed from a graph and its weights."""

from archscope.compress.groups import ChannelGroups, Group, Unit, channel_groups
from archscope.compress.pruning import Pruned, prune

__all__ = ["ChannelGroups", "Group", "Pruned", "Unit", "channel_groups", "prune"]
