/** One of a few values, with a label. */
export function Choice<Value extends string>(props: {
  label: string;
  value: Value;
  values: readonly Value[];
  /** What is shown for a value; itself by default. */
  textOf?(value: Value): string;
  onChoose(value: NoInfer<Value>): void;
}) {
  const { label, value, values, textOf = String, onChoose } = props;
  return (
    <label>
      {label}
      <select
        value={value}
        onChange={(event) => {
          const chosen = values.find((one) => one === event.currentTarget.value);
          if (chosen !== undefined) onChoose(chosen);
        }}
      >
        {values.map((one) => (
          <option key={one} value={one}>
            {textOf(one)}
          </option>
        ))}
      </select>
    </label>
  );
}
