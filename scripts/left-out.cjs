// Stands in the bundle for a package that is never called there: scripts/lean-bundle.ts.
module.exports = () => {
  throw new Error('this package is not in the bundle');
};
