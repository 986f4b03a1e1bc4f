-- A flower has no name of its own; numbering them by their measures gives each the same id in every run. Two flowers with
-- equal measures and species are interchangeable.
WITH numbered AS (
  SELECT
    row_number() OVER (ORDER BY species, sepal_length, sepal_width, petal_length, petal_width) AS iris_id,
    *
  FROM silver.iris_silver
),

areas AS (
  SELECT
    *,
    sepal_length * sepal_width AS sepal_area,
    petal_length * petal_width AS petal_area
  FROM numbered
)

SELECT
  iris_id,
  species,
  sepal_length,
  sepal_width,
  petal_length,
  petal_width,
  sepal_area,
  petal_area,
  sepal_area + petal_area AS total_area,
  sepal_length / sepal_width AS sepal_ratio,
  petal_length / petal_width AS petal_ratio,
  sepal_area / petal_area AS area_ratio,
  sepal_length + petal_length AS total_length,
  sepal_width + petal_width AS total_width,
  sepal_length - petal_length AS length_diff,
  sepal_width - petal_width AS width_diff,
  sqrt(
    sepal_length * sepal_length + sepal_width * sepal_width
    + petal_length * petal_length + petal_width * petal_width
  ) AS distance_from_origin,
  CASE
    WHEN sepal_area + petal_area > 15 THEN 'large'
    WHEN sepal_area + petal_area > 8 THEN 'medium'
    ELSE 'small'
  END AS size_category,
  current_timestamp() AS feature_timestamp
FROM areas
