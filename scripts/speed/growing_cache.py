"""A cache of keys and values that grows in place.

transformers' DynamicCache copies all keys and values for every new token: after a long prompt, that is most of the time
of decoding on a CPU. This one has room at the end and copies only when that is used up. Results are bit-identical.
"""

ROOM = 64  # tokens


def growing_cache(config):
    """A DynamicCache for a model with this config, for use without gradients because it writes in place."""
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    class GrowingLayer(DynamicLayer):
        rooms = None  # tensors with free space at the end; self.keys and self.values are views of their used parts

        def update(self, key_states, value_states, *args, **kwargs):
            if not self.is_initialized:
                self.lazy_initialization(key_states, value_states)
            start, length = self.get_seq_length(), key_states.shape[-2]
            if self.rooms is None or start + length > self.rooms[0].shape[-2]:
                shape = (*key_states.shape[:-2], start + length + ROOM)
                self.rooms = [new.new_empty(*shape, new.shape[-1]) for new in (key_states, value_states)]
                if start:
                    for room, old in zip(self.rooms, (self.keys, self.values), strict=True):
                        room[..., :start, :] = old
            for room, new in zip(self.rooms, (key_states, value_states), strict=True):
                room[..., start : start + length, :] = new
            self.keys, self.values = (room[..., : start + length, :] for room in self.rooms)
            return self.keys, self.values

        def batch_select_indices(self, indices):
            super().batch_select_indices(indices)
            self.rooms = None

    cache = DynamicCache(config=config)
    cache.layers = [GrowingLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache
