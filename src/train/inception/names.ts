/** Where the parts of a block stand in TensorFlow's published graph, by the names that the PyTorch port gives them. */
type Towers = Readonly<Record<string, string>>;

const A: Towers = { branch1x1: "", branch5x5: "tower/", branch3x3dbl: "tower_1/", branch_pool: "tower_2/" };
const B: Towers = { branch3x3: "", branch3x3dbl: "tower/" };
const C: Towers = { branch1x1: "", branch7x7: "tower/", branch7x7dbl: "tower_1/", branch_pool: "tower_2/" };
const D: Towers = { branch3x3: "tower/", branch7x7x3: "tower_1/" };
const E: Towers = { branch1x1: "", branch3x3: "tower/", branch3x3dbl: "tower_1/", branch_pool: "tower_2/" };

const BLOCKS: Readonly<Record<string, readonly [name: string, towers: Towers]>> = {
  Mixed_5b: ["mixed", A],
  Mixed_5c: ["mixed_1", A],
  Mixed_5d: ["mixed_2", A],
  Mixed_6a: ["mixed_3", B],
  Mixed_6b: ["mixed_4", C],
  Mixed_6c: ["mixed_5", C],
  Mixed_6d: ["mixed_6", C],
  Mixed_6e: ["mixed_7", C],
  Mixed_7a: ["mixed_8", D],
  Mixed_7b: ["mixed_9", E],
  Mixed_7c: ["mixed_10", E],
};

const STEM = ["Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3"];

const numbered = (i: number): string => (i === 0 ? "conv" : `conv_${i}`);

/** The scope in TensorFlow's graph of a unit: `Mixed_7b.branch3x3dbl_3b` → `mixed_9/tower_1/mixed/conv_1`. */
export const tensorflowName = (unit: string): string => {
  if (STEM.includes(unit)) return numbered(STEM.indexOf(unit));
  const [block, part] = unit.split(".") as [string, string];
  const [, branch, position = "1", half] = /^(branch\w*?)(?:_(\d)([ab])?)?$/.exec(part)!;
  const [name, towers] = BLOCKS[block]!;
  const own = half ? `mixed/${numbered("ab".indexOf(half))}` : numbered(Number(position) - 1);
  return `${name}/${towers[branch!]}${own}`;
};
