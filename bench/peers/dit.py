"""DiT with SoFlow's two time embeddings, as a PyTorch user writes it: fused attention, LayerNorm and tanh-GELU."""
import math

import torch
import torch.nn.functional as F
from torch import nn


def position_codes(side, width):
    omega = 1 / 10000 ** (torch.arange(width // 4, dtype=torch.float64) / (width / 4))
    axis = torch.arange(side, dtype=torch.float64)[:, None] * omega
    codes = torch.cat([axis.sin(), axis.cos()], dim=1)
    column, row = codes.repeat(side, 1), codes.repeat_interleave(side, 0)
    return torch.cat([column, row], dim=1).float()[None]


class TimeEmbedding(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(256, width), nn.SiLU(), nn.Linear(width, width))
        self.register_buffer("frequencies", torch.exp(-math.log(10000) * torch.arange(128) / 128), persistent=False)

    def forward(self, t):
        angles = t.reshape(-1, 1) * self.frequencies
        return self.mlp(torch.cat([angles.cos(), angles.sin()], dim=1))


def modulate(x, shift, scale):
    return x * (1 + scale.unsqueeze(1)) + shift.unsqueeze(1)


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width, eps=1e-6, elementwise_affine=False)
        self.norm2 = nn.LayerNorm(width, eps=1e-6, elementwise_affine=False)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width))
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))

    def attention(self, x):
        batch, length, width = x.shape
        q, k, v = self.qkv(x).reshape(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, length, width))

    def forward(self, x, c):
        shift1, scale1, gate1, shift2, scale2, gate2 = self.adaLN_modulation(c).chunk(6, dim=1)
        x = x + gate1.unsqueeze(1) * self.attention(modulate(self.norm1(x), shift1, scale1))
        return x + gate2.unsqueeze(1) * self.mlp(modulate(self.norm2(x), shift2, scale2))


class DiT(nn.Module):
    """F(x, t, s, y): x [B C H W], t and s [B 1 1 1], y [B] with `classes` for no label."""

    def __init__(self, imageSize, channels, patch, width, depth, heads, classes, **_):
        super().__init__()
        self.patch, self.channels, self.side = patch, channels, imageSize // patch
        self.x_embedder = nn.Conv2d(channels, width, patch, stride=patch)
        self.t_embedder, self.s_embedder = TimeEmbedding(width), TimeEmbedding(width)
        self.y_embedder = nn.Embedding(classes + 1, width)
        self.register_buffer("positions", position_codes(self.side, width), persistent=False)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6, elementwise_affine=False)
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))
        self.linear = nn.Linear(width, patch * patch * channels)

    def forward(self, x, t, s, y):
        h = self.x_embedder(x).flatten(2).transpose(1, 2) + self.positions
        c = self.t_embedder(t) + self.s_embedder(t - s) + self.y_embedder(y)
        for block in self.blocks:
            h = block(h, c)
        shift, scale = self.modulation(c).chunk(2, dim=1)
        h = self.linear(modulate(self.norm(h), shift, scale))
        h = h.reshape(-1, self.side, self.side, self.patch, self.patch, self.channels)
        return h.permute(0, 5, 1, 3, 2, 4).reshape(x.shape)
