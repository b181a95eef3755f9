/** x′ = xx x + xy y + x0,  y′ = yx x + yy y + y0, in pixels from the centre of the image; x to the right, y down. */
export type Affine = {
  readonly xx: number;
  readonly xy: number;
  readonly x0: number;
  readonly yx: number;
  readonly yy: number;
  readonly y0: number;
};

export const IDENTITY: Affine = { xx: 1, xy: 0, x0: 0, yx: 0, yy: 1, y0: 0 };

export const scaling2d = (x: number, y: number): Affine => ({ ...IDENTITY, xx: x, yy: y });

export const translation2d = (x: number, y: number): Affine => ({ ...IDENTITY, x0: x, y0: y });

/** By an angle in radians, from the x axis towards the y axis. */
export const rotation2d = (angle: number): Affine => {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return { xx: cos, xy: -sin, x0: 0, yx: sin, yy: cos, y0: 0 };
};

export const applyTo = ({ xx, xy, x0, yx, yy, y0 }: Affine, x: number, y: number): readonly [number, number] => [
  xx * x + xy * y + x0,
  yx * x + yy * y + y0,
];

/** First b, then a. */
export const after = (a: Affine, b: Affine): Affine => {
  const [x0, y0] = applyTo(a, b.x0, b.y0);
  return {
    xx: a.xx * b.xx + a.xy * b.yx,
    xy: a.xx * b.xy + a.xy * b.yy,
    x0,
    yx: a.yx * b.xx + a.yy * b.yx,
    yy: a.yx * b.xy + a.yy * b.yy,
    y0,
  };
};

/** The transformation that undoes this one, which must not be flat. */
export const inverse = ({ xx, xy, x0, yx, yy, y0 }: Affine): Affine => {
  const det = xx * yy - xy * yx;
  const linear = { xx: yy / det, xy: -xy / det, yx: -yx / det, yy: xx / det, x0: 0, y0: 0 };
  const [x, y] = applyTo(linear, -x0, -y0);
  return { ...linear, x0: x, y0: y };
};
