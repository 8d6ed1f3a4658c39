"""The random numbers of quaver/base/hash.h, number for number."""
MASK = (1 << 64) - 1


def mix64(value):
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & MASK
    return value ^ (value >> 31)


class Random:
    def __init__(self, seed, stream=0):
        self.state = mix64(seed ^ mix64(stream + 0x632BE59BD9B4E019 & MASK))

    def next(self):
        self.state = self.state + 0x9E3779B97F4A7C15 & MASK
        return mix64(self.state)

    def below(self, bound):
        return self.next() * bound >> 64
